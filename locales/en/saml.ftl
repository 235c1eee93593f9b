error-saml-unsolicited-title = This application cannot be opened from here
error-saml-unsolicited-text = The application accepts only logins that it asked for itself. Open the application and log in there.
error-saml-logout-title = This logout request cannot be used
error-saml-logout-text = The application that sent you here sent a logout request that cannot be used. You may still be logged in: open the user portal and log out there.
post-logout-title = You are being logged out
post-logout-text = You are being logged out of your applications, one after another. If nothing happens, press Continue.
