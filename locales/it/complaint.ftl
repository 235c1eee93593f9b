complaint-name-empty = Inserire il nome utente.
complaint-password-wrong = Il nome utente o la password non sono corretti.
complaint-wait = Attendere { $seconds ->
    [one] { $seconds } secondo
   *[other] { $seconds } secondi
} prima di riprovare.
complaint-wait-minutes = Attendere { $minutes ->
    [one] { $minutes } minuto
   *[other] { $minutes } minuti
} prima di riprovare.
complaint-passcode-wrong = Il codice monouso non è stato accettato. Attendere il successivo e inserirlo esattamente come visualizzato.
complaint-passcode-empty = Inserire il codice monouso mostrato dall’autenticatore.
complaint-passcode-length = Il codice monouso è composto da { $digits } caratteri.
complaint-passcode-next = Ci siamo quasi. Inserire il prossimo codice monouso mostrato dall’autenticatore.
complaint-code-wrong = Il codice non è corretto. { $left ->
    [one] È possibile fare ancora un tentativo.
   *[other] È possibile fare ancora { $left } tentativi.
}
complaint-code-empty = Inserire il codice ricevuto per e-mail.
complaint-code-expired = Questo codice non è più valido. Richiederne uno nuovo.
complaint-code-cooldown = Sarà possibile inviare un altro codice tra { $seconds ->
    [one] { $seconds } secondo
   *[other] { $seconds } secondi
}.
complaint-platform = Questo tipo di dispositivo non è consentito. Sceglierne un altro.
complaint-still-waiting = Il dispositivo non si è ancora collegato.
