post-title = Accesso effettuato
post-text = Ritorno all’applicazione in corso. Se non succede nulla, premere «Continua».
error-oidc-client-title = Questa richiesta di accesso non può essere elaborata
error-oidc-client-text = L’applicazione di provenienza non è nota a questo servizio. Tornare all’applicazione e riprovare oppure avvisare il servizio di assistenza.
error-oidc-redirect-title = Questa richiesta di accesso non può essere elaborata
error-oidc-redirect-text = L’applicazione di provenienza richiede la risposta a un indirizzo che non è registrato per essa. Non è stato inviato nulla a tale indirizzo. Avvisare il servizio di assistenza.
error-saml-request-title = Questa richiesta di accesso non può essere elaborata
error-saml-request-text = L’applicazione di provenienza ha inviato una richiesta che non può essere elaborata. Tornare all’applicazione e riprovare. Se il problema si ripete, avvisare il servizio di assistenza.
