complaint-name-empty = Voer uw gebruikersnaam in.
complaint-password-wrong = De gebruikersnaam of het wachtwoord is niet juist.
complaint-wait = Wacht { $seconds ->
    [one] { $seconds } seconde
   *[other] { $seconds } seconden
} voordat u het opnieuw probeert.
complaint-wait-minutes = Wacht { $minutes ->
    [one] { $minutes } minuut
   *[other] { $minutes } minuten
} voordat u het opnieuw probeert.
complaint-passcode-wrong = Deze toegangscode is niet geaccepteerd. Wacht op de volgende en voer die precies in zoals hij wordt weergegeven.
complaint-passcode-empty = Voer de toegangscode in die uw authenticator toont.
complaint-passcode-length = De toegangscode heeft { $digits } tekens.
complaint-passcode-next = Bijna klaar. Voer de volgende toegangscode in die uw authenticator toont.
complaint-code-wrong = Deze code is niet juist. { $left ->
    [one] U kunt het nog één keer proberen.
   *[other] U kunt het nog { $left } keer proberen.
}
complaint-code-empty = Voer de code uit de e-mail in.
complaint-code-expired = Deze code werkt niet meer. Vraag een nieuwe aan.
complaint-code-cooldown = U kunt een nieuwe code aanvragen over { $seconds ->
    [one] { $seconds } seconde
   *[other] { $seconds } seconden
}.
complaint-platform = Dit soort apparaat is niet toegestaan. Kies een ander apparaat.
complaint-still-waiting = Uw apparaat is nog niet gekoppeld.
