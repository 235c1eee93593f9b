challenge-title = Risponda alla sfida
challenge-lead = Apra l’autenticatore, vi inserisca questa sfida e digiti la risposta mostrata.
challenge-lead-named = Apra l’autenticatore «{ $name }», vi inserisca questa sfida e digiti la risposta mostrata.
challenge-first-lead = Ora acceda con esso: inserisca questa sfida nell’autenticatore e digiti la risposta mostrata.
challenge-label = Sfida
challenge-response = Risposta
challenge-note = Una sfida vale cinque minuti e per una sola risposta.
challenge-renew = Nuova sfida
challenge-or-passcode = Usare invece un codice monouso
passcode-or-challenge = Rispondere invece a una sfida
complaint-response-empty = Inserisca la risposta mostrata dall’autenticatore.
complaint-response-wrong = La risposta non è stata accettata. Ecco una nuova sfida.
complaint-challenge-expired = La sfida è troppo vecchia o è stata sostituita. Eccone una nuova.
complaint-challenge-limit = In questo accesso non ci sono altre sfide nuove. Risponda a quella mostrata o ricominci dall’applicazione.
complaint-clock-ahead = Il codice non è stato accettato. L’orologio del dispositivo sembra essere avanti di circa { $minutes ->
    [one] un minuto
   *[other] { $minutes } minuti
}. Attivi l’ora automatica, poi inserisca il codice successivo.
complaint-clock-behind = Il codice non è stato accettato. L’orologio del dispositivo sembra essere indietro di circa { $minutes ->
    [one] un minuto
   *[other] { $minutes } minuti
}. Attivi l’ora automatica, poi inserisca il codice successivo.
complaint-clock-ahead-hours = Il codice non è stato accettato. L’orologio del dispositivo sembra essere avanti di circa { $hours ->
    [one] un’ora
   *[other] { $hours } ore
}. Attivi l’ora automatica, poi inserisca il codice successivo.
complaint-clock-behind-hours = Il codice non è stato accettato. L’orologio del dispositivo sembra essere indietro di circa { $hours ->
    [one] un’ora
   *[other] { $hours } ore
}. Attivi l’ora automatica, poi inserisca il codice successivo.
portal-token-title = Il Suo autenticatore
portal-token-care = Provare o sincronizzare
portal-token-test = Provarlo
portal-token-test-note = Inserisca il codice che mostra adesso. Il codice viene così consumato.
portal-token-test-do = Verifica
portal-token-works = Funziona.
portal-token-synchronize = Sincronizzarlo
portal-token-synchronize-note = Se i codici vengono sempre rifiutati, ne inserisca due che l’autenticatore mostra uno dopo l’altro.
portal-token-first = Primo codice
portal-token-second = Il codice successivo
portal-token-synchronize-do = Sincronizza
portal-token-synchronized = È sincronizzato.
portal-token-out-of-sync = Il codice è giusto, ma l’orologio o il contatore dell’autenticatore è sfasato. Lo sincronizzi qui sotto.
portal-token-back = Torna alle applicazioni
