post-title = Connexion réussie
post-text = Retour à l’application en cours. Si rien ne se passe, appuyez sur « Continuer ».
error-oidc-client-title = Cette demande de connexion ne peut pas être traitée
error-oidc-client-text = L’application dont vous venez n’est pas connue de ce service. Retournez à l’application et réessayez, ou prévenez votre service d’assistance.
error-oidc-redirect-title = Cette demande de connexion ne peut pas être traitée
error-oidc-redirect-text = L’application dont vous venez demande la réponse à une adresse qui n’est pas enregistrée pour elle. Rien n’y a été envoyé. Prévenez votre service d’assistance.
error-saml-request-title = Cette demande de connexion ne peut pas être traitée
error-saml-request-text = L’application dont vous venez a envoyé une demande qui ne peut pas être traitée. Retournez à l’application et réessayez. Si cela se reproduit, prévenez votre service d’assistance.
