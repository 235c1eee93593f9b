error-saml-unsolicited-title = Questa applicazione non può essere aperta da qui
error-saml-unsolicited-text = L’applicazione accetta solo gli accessi che ha richiesto essa stessa. Aprire l’applicazione ed effettuare l’accesso da lì.
error-saml-logout-title = Questa richiesta di disconnessione non può essere elaborata
error-saml-logout-text = L’applicazione di provenienza ha inviato una richiesta di disconnessione che non può essere elaborata. È possibile che la sessione sia ancora attiva: aprire il portale utente e disconnettersi da lì.
post-logout-title = Disconnessione in corso
post-logout-text = Disconnessione dalle applicazioni in corso, una dopo l’altra. Se non succede nulla, premere «Continua».
