mail-greeting = Beste { $name },
mail-footer = { $organization } · verzonden door Vestibule
mail-footer-help = { $organization } · verzonden door Vestibule · Hulp: { $contact }
mail-time = { $day }, { $time } UTC
mail-device = Apparaat:
mail-serial = Serienummer:
mail-when = Tijdstip:
mail-address = IP-adres:
mail-verification-code-subject = Uw code voor { $organization }
mail-verification-code-before = U wilt inloggen bij { $application } en een authenticator toevoegen voor { $organization }. Dit is uw code:
mail-verification-code-after = De code is { $minutes ->
    [one] { $minutes } minuut
   *[other] { $minutes } minuten
} geldig. Voer de code alleen in op de pagina waar u erom hebt gevraagd. Onze medewerkers zullen u er nooit om vragen. Als u dit niet was, kent iemand uw wachtwoord: wijzig het en meld dit bij uw helpdesk.
mail-enrolled-subject = Er is een authenticator aan uw account toegevoegd
mail-enrolled-before = Er is een authenticator toegevoegd aan uw account bij { $organization }.
mail-enrolled-after = Als u dit was, hoeft u niets te doen. Als u dit niet was, schakel de authenticator dan meteen uit:
mail-enrolled-link = Ik was dit niet
mail-account-locked-subject = Uw account is geblokkeerd
mail-account-locked-before = Uw account bij { $organization } is geblokkeerd omdat er te veel mislukte inlogpogingen zijn gedaan.
mail-account-locked-until = De blokkering wordt automatisch opgeheven: { $time }.
mail-account-locked-operator = Alleen uw helpdesk kan het deblokkeren.
mail-account-locked-after = Als u dit niet was, meld dit dan bij uw helpdesk.
mail-account-unlocked-subject = Uw account werkt weer
mail-account-unlocked-before = Uw account bij { $organization } was geblokkeerd na te veel onjuiste pogingen. Er is nu iemand mee ingelogd. Als u dit niet was, meld dit dan meteen bij uw helpdesk.
mail-passcode-reused-subject = Een toegangscode is twee keer gebruikt
mail-passcode-reused-before = Iemand heeft geprobeerd in te loggen bij { $application } met een toegangscode van u die al was gebruikt. De poging is geweigerd.
mail-passcode-reused-after = Als u twee keer op de knop hebt gedrukt, hoeft u niets te doen. Als u dit niet was, heeft iemand mogelijk meegekeken terwijl u typte: wijzig uw wachtwoord en meld dit bij uw helpdesk.
mail-removed-on-device-subject = Een authenticator is in de app verwijderd
mail-removed-on-device-before = Een authenticator van uw account bij { $organization } is in de app verwijderd. De authenticator is geblokkeerd: niemand kan er nog mee inloggen.
mail-removed-on-device-after = Als u dit zelf was, hoeft u niets te doen; waar een toegangscode wordt gevraagd, kunt u via uw helpdesk een andere authenticator toevoegen. Als u dit niet was, had iemand anders uw apparaat in handen: meld dit bij uw helpdesk.
mail-address-changed-subject = Het e-mailadres van uw account is gewijzigd
mail-address-changed-before = Uw account bij { $organization } heeft nu een ander e-mailadres. Codes en meldingen komen niet meer op dit adres aan.
mail-address-changed-after = Als u hiervan weet, hoeft u niets te doen. Zo niet, neem dan meteen contact op met uw helpdesk.
mail-test-subject = Een test van { $organization }
mail-test-before = Dit is een test. E-mail van { $organization } komt bij u aan.
