post-title = Sie sind angemeldet
post-text = Sie werden zur Anwendung zurückgeleitet. Wenn nichts geschieht, drücken Sie auf „Weiter“.
error-oidc-client-title = Diese Anmeldeanfrage kann nicht verwendet werden
error-oidc-client-text = Die Anwendung, von der Sie kommen, ist diesem Dienst nicht bekannt. Gehen Sie zurück zur Anwendung und versuchen Sie es erneut oder informieren Sie Ihren Helpdesk.
error-oidc-redirect-title = Diese Anmeldeanfrage kann nicht verwendet werden
error-oidc-redirect-text = Die Anwendung, von der Sie kommen, verlangt die Antwort an einer Adresse, die nicht für sie registriert ist. Dorthin wurde nichts gesendet. Informieren Sie Ihren Helpdesk.
error-saml-request-title = Diese Anmeldeanfrage kann nicht verwendet werden
error-saml-request-text = Die Anwendung, von der Sie kommen, hat eine Anfrage gesendet, die nicht verwendet werden kann. Gehen Sie zurück zur Anwendung und versuchen Sie es erneut. Wenn es wieder geschieht, informieren Sie Ihren Helpdesk.
