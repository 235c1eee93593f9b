mail-greeting = Gentile { $name },
mail-footer = { $organization } · inviato da Vestibule
mail-footer-help = { $organization } · inviato da Vestibule · Assistenza: { $contact }
mail-time = { $day }, { $time } UTC
mail-device = Dispositivo:
mail-serial = Numero di serie:
mail-when = Data e ora:
mail-address = Indirizzo IP:
mail-verification-code-subject = Il Suo codice per { $organization }
mail-verification-code-before = Lei desidera accedere a { $application } e aggiungere un autenticatore per { $organization }. Ecco il Suo codice:
mail-verification-code-after = È valido per { $minutes ->
    [one] { $minutes } minuto
   *[other] { $minutes } minuti
}. Inserirlo solo nella pagina in cui è stato richiesto. Nessuno del nostro personale Le chiederà mai questo codice. Se non l’ha richiesto Lei, qualcuno conosce la Sua password: cambiarla e avvisare il servizio di assistenza.
mail-enrolled-subject = Un autenticatore è stato aggiunto al Suo account
mail-enrolled-before = Un autenticatore è stato aggiunto al Suo account presso { $organization }.
mail-enrolled-after = Se l’ha aggiunto Lei, non deve fare nulla. In caso contrario, disattivare subito l’autenticatore:
mail-enrolled-link = Non l’ho aggiunto io
mail-account-locked-subject = Il Suo account è bloccato
mail-account-locked-before = Il Suo account presso { $organization } è stato bloccato perché sono stati effettuati troppi tentativi di accesso errati.
mail-account-locked-until = Si sbloccherà automaticamente: { $time }.
mail-account-locked-operator = Solo il servizio di assistenza può sbloccarlo.
mail-account-locked-after = Se non riconosce questi tentativi, avvisare il servizio di assistenza.
mail-account-unlocked-subject = Il Suo account è di nuovo attivo
mail-account-unlocked-before = Il Suo account presso { $organization } era stato bloccato dopo troppi tentativi errati. Ora qualcuno ha effettuato l’accesso. Se non riconosce questo accesso, avvisare subito il servizio di assistenza.
mail-passcode-reused-subject = Un codice monouso è stato utilizzato due volte
mail-passcode-reused-before = Qualcuno ha tentato di accedere a { $application } con un Suo codice monouso già utilizzato. Il tentativo è stato respinto.
mail-passcode-reused-after = Se ha premuto due volte il pulsante, non deve fare nulla. In caso contrario, qualcuno potrebbe aver visto ciò che ha digitato: cambiare la password e avvisare il servizio di assistenza.
mail-removed-on-device-subject = Un autenticatore è stato rimosso nella sua app
mail-removed-on-device-before = Un autenticatore del Suo account presso { $organization } è stato rimosso nella sua app. È sospeso: nessuno può più usarlo per accedere.
mail-removed-on-device-after = Se è stato Lei, non deve fare nulla; dove viene richiesto un codice monouso, il servizio di assistenza Le consentirà di aggiungere un altro autenticatore. In caso contrario, qualcun altro ha avuto in mano il Suo dispositivo: avvisare il servizio di assistenza.
mail-address-changed-subject = L’indirizzo e-mail del Suo account è stato modificato
mail-address-changed-before = L’indirizzo e-mail del Suo account presso { $organization } ora è un altro. Codici e avvisi non arrivano più a questo indirizzo.
mail-address-changed-after = Se ne è al corrente, non deve fare nulla. In caso contrario, contattare subito il servizio di assistenza.
mail-test-subject = Un test da { $organization }
mail-test-before = Questo è un test. Le e-mail di { $organization } Le arrivano correttamente.
