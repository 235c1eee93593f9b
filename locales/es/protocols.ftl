post-title = Ha iniciado sesión
post-text = Está volviendo a la aplicación. Si no ocurre nada, pulse «Continuar».
error-oidc-client-title = No se puede procesar esta solicitud de inicio de sesión
error-oidc-client-text = Este servicio no conoce la aplicación desde la que ha llegado aquí. Vuelva a la aplicación e inténtelo de nuevo, o avise a su servicio de asistencia.
error-oidc-redirect-title = No se puede procesar esta solicitud de inicio de sesión
error-oidc-redirect-text = La aplicación desde la que ha llegado aquí solicita la respuesta en una dirección que no está registrada para ella. No se ha enviado nada a esa dirección. Avise a su servicio de asistencia.
error-saml-request-title = No se puede procesar esta solicitud de inicio de sesión
error-saml-request-text = La aplicación desde la que ha llegado aquí ha enviado una solicitud que no se puede procesar. Vuelva a la aplicación e inténtelo de nuevo. Si vuelve a ocurrir, avise a su servicio de asistencia.
