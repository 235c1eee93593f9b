challenge-title = Répondez au défi
challenge-lead = Ouvrez votre authentificateur, saisissez-y ce défi, puis tapez la réponse affichée.
challenge-lead-named = Ouvrez votre authentificateur « { $name } », saisissez-y ce défi, puis tapez la réponse affichée.
challenge-first-lead = Connectez-vous maintenant avec lui : saisissez ce défi dans l’authentificateur, puis tapez la réponse affichée.
challenge-label = Défi
challenge-response = Réponse
challenge-note = Un défi est valable cinq minutes et pour une seule réponse.
challenge-renew = Nouveau défi
challenge-or-passcode = Utiliser plutôt un code à usage unique
passcode-or-challenge = Répondre plutôt à un défi
complaint-response-empty = Saisissez la réponse affichée par votre authentificateur.
complaint-response-wrong = Cette réponse n’a pas été acceptée. Voici un nouveau défi.
complaint-challenge-expired = Ce défi est trop ancien ou a été remplacé. En voici un nouveau.
complaint-challenge-limit = Il n’y a plus de nouveau défi pour cette connexion. Répondez à celui qui est affiché ou recommencez depuis l’application.
complaint-clock-ahead = Ce code n’a pas été accepté. L’horloge de votre appareil semble avoir environ { $minutes ->
    [one] une minute
   *[other] { $minutes } minutes
} d’avance. Activez le réglage automatique de l’heure, puis saisissez le code suivant.
complaint-clock-behind = Ce code n’a pas été accepté. L’horloge de votre appareil semble avoir environ { $minutes ->
    [one] une minute
   *[other] { $minutes } minutes
} de retard. Activez le réglage automatique de l’heure, puis saisissez le code suivant.
complaint-clock-ahead-hours = Ce code n’a pas été accepté. L’horloge de votre appareil semble avoir environ { $hours ->
    [one] une heure
   *[other] { $hours } heures
} d’avance. Activez le réglage automatique de l’heure, puis saisissez le code suivant.
complaint-clock-behind-hours = Ce code n’a pas été accepté. L’horloge de votre appareil semble avoir environ { $hours ->
    [one] une heure
   *[other] { $hours } heures
} de retard. Activez le réglage automatique de l’heure, puis saisissez le code suivant.
portal-token-title = Votre authentificateur
portal-token-care = Essayer ou synchroniser
portal-token-test = L’essayer
portal-token-test-note = Saisissez le code affiché maintenant. Il sera alors consommé.
portal-token-test-do = Vérifier
portal-token-works = Il fonctionne.
portal-token-synchronize = Le synchroniser
portal-token-synchronize-note = Si les codes sont refusés à chaque fois, saisissez-en deux que l’authentificateur affiche l’un après l’autre.
portal-token-first = Premier code
portal-token-second = Le code suivant
portal-token-synchronize-do = Synchroniser
portal-token-synchronized = Il est synchronisé.
portal-token-out-of-sync = Ce code est correct, mais l’horloge ou le compteur de l’authentificateur est décalé. Synchronisez-le ci-dessous.
portal-token-back = Retour à vos applications
