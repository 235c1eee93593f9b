error-saml-unsolicited-title = Diese Anwendung kann von hier aus nicht geöffnet werden
error-saml-unsolicited-text = Die Anwendung nimmt nur Anmeldungen an, die sie selbst angefordert hat. Öffnen Sie die Anwendung und melden Sie sich dort an.
error-saml-logout-title = Diese Abmeldeanfrage kann nicht verwendet werden
error-saml-logout-text = Die Anwendung, von der Sie kommen, hat eine Abmeldeanfrage gesendet, die nicht verwendet werden kann. Möglicherweise sind Sie noch angemeldet: Öffnen Sie das Benutzerportal und melden Sie sich dort ab.
post-logout-title = Sie werden abgemeldet
post-logout-text = Sie werden nacheinander von Ihren Anwendungen abgemeldet. Wenn nichts geschieht, drücken Sie auf „Weiter“.
