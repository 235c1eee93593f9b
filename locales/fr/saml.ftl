error-saml-unsolicited-title = Cette application ne peut pas être ouverte d’ici
error-saml-unsolicited-text = L’application n’accepte que les connexions qu’elle a demandées elle-même. Ouvrez l’application et connectez-vous à partir de là.
error-saml-logout-title = Cette demande de déconnexion ne peut pas être traitée
error-saml-logout-text = L’application dont vous venez a envoyé une demande de déconnexion qui ne peut pas être traitée. Il se peut que vous soyez encore connecté : ouvrez le portail utilisateur et déconnectez-vous à partir de là.
post-logout-title = Déconnexion en cours
post-logout-text = Vous êtes déconnecté de vos applications, l’une après l’autre. Si rien ne se passe, appuyez sur « Continuer ».
