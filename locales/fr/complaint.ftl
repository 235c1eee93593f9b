complaint-name-empty = Saisissez votre nom d’utilisateur.
complaint-password-wrong = Le nom d’utilisateur ou le mot de passe est incorrect.
complaint-wait = Patientez { $seconds ->
    [one] { $seconds } seconde
   *[other] { $seconds } secondes
} avant de réessayer.
complaint-wait-minutes = Patientez { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
} avant de réessayer.
complaint-passcode-wrong = Ce code à usage unique n’a pas été accepté. Attendez le suivant et saisissez-le exactement tel qu’il est affiché.
complaint-passcode-empty = Saisissez le code à usage unique affiché par votre authentificateur.
complaint-passcode-length = Le code à usage unique comporte { $digits } caractères.
complaint-passcode-next = Vous y êtes presque. Saisissez le prochain code à usage unique affiché par votre authentificateur.
complaint-code-wrong = Ce code est incorrect. { $left ->
    [one] Il vous reste { $left } essai.
   *[other] Il vous reste { $left } essais.
}
complaint-code-empty = Saisissez le code reçu par e-mail.
complaint-code-expired = Ce code n’est plus valable. Demandez l’envoi d’un nouveau code.
complaint-code-cooldown = Vous pourrez demander un autre code dans { $seconds ->
    [one] { $seconds } seconde
   *[other] { $seconds } secondes
}.
complaint-platform = Ce type d’appareil n’est pas autorisé. Choisissez-en un autre.
complaint-still-waiting = Votre appareil n’est pas encore associé.
