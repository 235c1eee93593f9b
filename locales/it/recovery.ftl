recovery-title = Accedere senza autenticatore
recovery-link = Non ho con me l’autenticatore
recovery-have-code = Ho un altro codice
recovery-lead-own = Inserire uno dei codici di recupero conservati. Ognuno vale una volta sola.
recovery-lead-both = Inserire uno dei codici di recupero conservati oppure il codice del servizio di assistenza. Ognuno vale una volta sola.
recovery-lead-help = Inserire il codice del servizio di assistenza. Vale una volta sola.
recovery-label = Codice
recovery-replace = Accedere e aggiungere un nuovo autenticatore
recovery-replace-note = Da scegliere se quello vecchio è perso o rotto. Smette di funzionare quando il nuovo è collegato.
recovery-back = Indietro
codes-title = Conservare i codici di recupero
codes-lead = In caso di perdita dell’autenticatore, uno di questi codici permette di accedere. Ognuno vale una volta sola. I codici precedenti non valgono più.
codes-note = Stamparli o salvarli dove nessun altro li trova, ma non sul dispositivo con l’autenticatore. Vengono mostrati solo ora.
codes-download = Salva in un file
codes-print = Stampa
codes-kept = Li ho conservati
codes-file = Codici di recupero di { $name } presso { $organization }. Ognuno vale una volta sola. Tenerli segreti.
gate-window-text = Per accedere a { $application } è necessario un autenticatore. Il periodo in cui era possibile aggiungerne uno autonomamente è finito.
gate-dormant-text = Per accedere a { $application } è necessario un autenticatore. Da molto tempo nessuno accede con il Suo account, perciò non è possibile aggiungerne uno senza il servizio di assistenza.
gate-network-text = Per accedere a { $application } è necessario un autenticatore. È possibile aggiungerlo solo dalla rete della Sua organizzazione, e questo accesso proviene da un’altra rete.
gate-pass-text = Per accedere a { $application } è necessario un autenticatore. Per aggiungerne uno occorre un codice di autorizzazione del servizio di assistenza.
gate-recovery-text = Per accedere a { $application } è necessario un autenticatore. Quello precedente è stato rimosso, perciò per il prossimo occorre l’aiuto del servizio di assistenza.
gate-contact = Contattare il servizio di assistenza, che può sbloccare la procedura.
gate-ask-pass = Contattare il servizio di assistenza e chiedere un codice di autorizzazione. Inserirlo qui finché questa pagina è aperta:
gate-pass-label = Codice di autorizzazione del servizio di assistenza
complaint-recovery-wrong = Questo codice non vale. Forse è stato digitato male, è già stato usato o è troppo vecchio.
complaint-recovery-empty = Inserire un codice.
portal-recovery-title = Codici di recupero
portal-recovery-lead = Senza l’autenticatore a portata di mano, un codice di recupero permette di accedere.
portal-recovery-left = { $left ->
    [one] Rimane un codice.
   *[other] Rimangono { $left } codici.
}
portal-recovery-new = Crea nuovi codici
portal-recovery-note = I codici precedenti smettono di valere. Prima potrebbe essere richiesto un codice monouso.
portal-recovery-home = Torna alle Sue applicazioni
mail-recovery-codes-made-subject = Nuovi codici di recupero
mail-recovery-codes-made-before = Per il Suo account presso { $organization } sono stati creati nuovi codici di recupero. Quelli precedenti non valgono più.
mail-recovery-codes-made-after = Se non riconosce questa operazione, contattare subito il servizio di assistenza.
mail-recovery-code-used-subject = È stato usato un codice di recupero
mail-recovery-code-used-before = Qualcuno ha effettuato l’accesso al Suo account presso { $organization } con uno dei Suoi codici di recupero.
mail-recovery-code-used-left = { $left ->
    [one] Rimane un codice.
   *[other] Rimangono { $left } codici.
}
mail-recovery-code-used-after = Se non riconosce questa operazione, contattare subito il servizio di assistenza.
mail-help-desk-code-subject = Il servizio di assistenza ha emesso un codice per Lei
mail-help-desk-code-before = Il servizio di assistenza di { $organization } ha emesso un codice che permette di accedere o di aggiungere un autenticatore.
mail-help-desk-code-after = Se non l’ha richiesto Lei, contattare subito il servizio di assistenza: forse qualcuno si spaccia per Lei.
