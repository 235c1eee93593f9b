post-title = You are logged in
post-text = You are on your way back to the application. If nothing happens, press Continue.
error-oidc-client-title = This login request cannot be used
error-oidc-client-text = The application that sent you here is not known to this service. Go back to the application and try again, or tell your help desk.
error-oidc-redirect-title = This login request cannot be used
error-oidc-redirect-text = The application that sent you here wants the answer at an address that is not registered for it. Nothing was sent there. Tell your help desk.
error-saml-request-title = This login request cannot be used
error-saml-request-text = The application that sent you here sent a request that cannot be used. Go back to the application and try again. If it happens again, tell your help desk.
