error-saml-unsolicited-title = Esta aplicación no se puede abrir desde aquí
error-saml-unsolicited-text = La aplicación solo acepta inicios de sesión que ella misma ha solicitado. Abra la aplicación e inicie sesión allí.
error-saml-logout-title = No se puede procesar esta solicitud de cierre de sesión
error-saml-logout-text = La aplicación desde la que ha llegado aquí ha enviado una solicitud de cierre de sesión que no se puede procesar. Es posible que su sesión siga abierta: abra el portal de usuario y cierre la sesión allí.
post-logout-title = Se está cerrando su sesión
post-logout-text = Se está cerrando su sesión en las aplicaciones, una tras otra. Si no ocurre nada, pulse «Continuar».
