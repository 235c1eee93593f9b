challenge-title = Beantwoord de uitdaging
challenge-lead = Open uw authenticator, voer daar deze uitdaging in en typ het antwoord dat verschijnt.
challenge-lead-named = Open uw authenticator ‘{ $name }’, voer daar deze uitdaging in en typ het antwoord dat verschijnt.
challenge-first-lead = Log er nu mee in: voer deze uitdaging in de authenticator in en typ het antwoord dat verschijnt.
challenge-label = Uitdaging
challenge-response = Antwoord
challenge-note = Een uitdaging is vijf minuten geldig, voor één antwoord.
challenge-renew = Nieuwe uitdaging
challenge-or-passcode = Liever een toegangscode gebruiken
passcode-or-challenge = Liever een uitdaging beantwoorden
complaint-response-empty = Voer het antwoord in dat uw authenticator toont.
complaint-response-wrong = Dat antwoord is niet geaccepteerd. Hier is een nieuwe uitdaging.
complaint-challenge-expired = Die uitdaging is te oud of is vervangen. Hier is een nieuwe.
complaint-challenge-limit = Er zijn geen nieuwe uitdagingen meer bij deze aanmelding. Beantwoord de getoonde of begin opnieuw vanuit de applicatie.
complaint-clock-ahead = Die toegangscode is niet geaccepteerd. De klok van uw apparaat lijkt ongeveer { $minutes ->
    [one] één minuut
   *[other] { $minutes } minuten
} voor te lopen. Laat de tijd automatisch instellen en voer daarna de volgende toegangscode in.
complaint-clock-behind = Die toegangscode is niet geaccepteerd. De klok van uw apparaat lijkt ongeveer { $minutes ->
    [one] één minuut
   *[other] { $minutes } minuten
} achter te lopen. Laat de tijd automatisch instellen en voer daarna de volgende toegangscode in.
complaint-clock-ahead-hours = Die toegangscode is niet geaccepteerd. De klok van uw apparaat lijkt ongeveer { $hours ->
    [one] één uur
   *[other] { $hours } uur
} voor te lopen. Laat de tijd automatisch instellen en voer daarna de volgende toegangscode in.
complaint-clock-behind-hours = Die toegangscode is niet geaccepteerd. De klok van uw apparaat lijkt ongeveer { $hours ->
    [one] één uur
   *[other] { $hours } uur
} achter te lopen. Laat de tijd automatisch instellen en voer daarna de volgende toegangscode in.
portal-token-title = Uw authenticator
portal-token-care = Uitproberen of synchroniseren
portal-token-test = Uitproberen
portal-token-test-note = Voer de toegangscode in die hij nu toont. De code is daarmee verbruikt.
portal-token-test-do = Controleren
portal-token-works = Hij werkt.
portal-token-synchronize = Synchroniseren
portal-token-synchronize-note = Als toegangscodes steeds worden geweigerd, voer er dan twee in die de authenticator na elkaar toont.
portal-token-first = Eerste toegangscode
portal-token-second = De code daarna
portal-token-synchronize-do = Synchroniseren
portal-token-synchronized = Hij is gesynchroniseerd.
portal-token-out-of-sync = Die toegangscode klopt, maar de klok of teller van de authenticator wijkt af. Synchroniseer hem hieronder.
portal-token-back = Terug naar uw applicaties
