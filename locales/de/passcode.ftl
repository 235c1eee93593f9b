challenge-title = Challenge beantworten
challenge-lead = Öffnen Sie Ihren Authenticator, geben Sie dort diese Challenge ein und tippen Sie die angezeigte Antwort ab.
challenge-lead-named = Öffnen Sie Ihren Authenticator „{ $name }“, geben Sie dort diese Challenge ein und tippen Sie die angezeigte Antwort ab.
challenge-first-lead = Melden Sie sich jetzt damit an: Geben Sie diese Challenge im Authenticator ein und tippen Sie die angezeigte Antwort ab.
challenge-label = Challenge
challenge-response = Antwort
challenge-note = Eine Challenge gilt fünf Minuten lang und für eine Antwort.
challenge-renew = Neue Challenge
challenge-or-passcode = Stattdessen einen Passcode verwenden
passcode-or-challenge = Stattdessen eine Challenge beantworten
complaint-response-empty = Geben Sie die Antwort ein, die Ihr Authenticator anzeigt.
complaint-response-wrong = Diese Antwort wurde nicht akzeptiert. Hier ist eine neue Challenge.
complaint-challenge-expired = Diese Challenge ist zu alt oder wurde ersetzt. Hier ist eine neue.
complaint-challenge-limit = In dieser Anmeldung gibt es keine neuen Challenges mehr. Beantworten Sie die angezeigte oder beginnen Sie bei der Anwendung von vorn.
complaint-clock-ahead = Dieser Passcode wurde nicht akzeptiert. Die Uhr Ihres Geräts scheint um etwa { $minutes ->
    [one] eine Minute
   *[other] { $minutes } Minuten
} vorzugehen. Lassen Sie sie automatisch stellen und geben Sie dann den nächsten Passcode ein.
complaint-clock-behind = Dieser Passcode wurde nicht akzeptiert. Die Uhr Ihres Geräts scheint um etwa { $minutes ->
    [one] eine Minute
   *[other] { $minutes } Minuten
} nachzugehen. Lassen Sie sie automatisch stellen und geben Sie dann den nächsten Passcode ein.
complaint-clock-ahead-hours = Dieser Passcode wurde nicht akzeptiert. Die Uhr Ihres Geräts scheint um etwa { $hours ->
    [one] eine Stunde
   *[other] { $hours } Stunden
} vorzugehen. Lassen Sie sie automatisch stellen und geben Sie dann den nächsten Passcode ein.
complaint-clock-behind-hours = Dieser Passcode wurde nicht akzeptiert. Die Uhr Ihres Geräts scheint um etwa { $hours ->
    [one] eine Stunde
   *[other] { $hours } Stunden
} nachzugehen. Lassen Sie sie automatisch stellen und geben Sie dann den nächsten Passcode ein.
portal-token-title = Ihr Authenticator
portal-token-care = Ausprobieren oder synchronisieren
portal-token-test = Ausprobieren
portal-token-test-note = Geben Sie den Passcode ein, den er jetzt anzeigt. Der Passcode ist damit verbraucht.
portal-token-test-do = Prüfen
portal-token-works = Er funktioniert.
portal-token-synchronize = Synchronisieren
portal-token-synchronize-note = Wenn Passcodes immer wieder abgelehnt werden, geben Sie zwei ein, die der Authenticator nacheinander anzeigt.
portal-token-first = Erster Passcode
portal-token-second = Der Passcode danach
portal-token-synchronize-do = Synchronisieren
portal-token-synchronized = Er ist synchronisiert.
portal-token-out-of-sync = Dieser Passcode ist richtig, aber Uhr oder Zähler des Authenticators weichen ab. Synchronisieren Sie ihn unten.
portal-token-back = Zurück zu Ihren Anwendungen
