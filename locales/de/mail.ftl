mail-greeting = Guten Tag { $name },
mail-footer = { $organization } · gesendet von Vestibule
mail-footer-help = { $organization } · gesendet von Vestibule · Hilfe: { $contact }
mail-time = { $day }, { $time } Uhr UTC
mail-device = Gerät:
mail-serial = Seriennummer:
mail-when = Zeitpunkt:
mail-address = IP-Adresse:
mail-verification-code-subject = Ihr Code für { $organization }
mail-verification-code-before = Sie möchten sich bei { $application } anmelden und einen Authenticator für { $organization } hinzufügen. Dies ist Ihr Code:
mail-verification-code-after = Er ist { $minutes ->
    [one] { $minutes } Minute
   *[other] { $minutes } Minuten
} gültig. Geben Sie ihn nur auf der Seite ein, auf der Sie ihn angefordert haben. Niemand von uns wird Sie jemals danach fragen. Wenn Sie das nicht waren, kennt jemand Ihr Passwort: Ändern Sie es und informieren Sie Ihren Helpdesk.
mail-enrolled-subject = Ihrem Konto wurde ein Authenticator hinzugefügt
mail-enrolled-before = Ihrem Konto bei { $organization } wurde ein Authenticator hinzugefügt.
mail-enrolled-after = Wenn Sie das waren, müssen Sie nichts tun. Wenn Sie es nicht waren, deaktivieren Sie den Authenticator umgehend:
mail-enrolled-link = Das war ich nicht
mail-account-locked-subject = Ihr Konto ist gesperrt
mail-account-locked-before = Ihr Konto bei { $organization } ist gesperrt, weil es zu viele fehlgeschlagene Anmeldeversuche gab.
mail-account-locked-until = Die Sperre endet von selbst: { $time }.
mail-account-locked-operator = Nur Ihr Helpdesk kann es entsperren.
mail-account-locked-after = Wenn Sie das nicht waren, informieren Sie Ihren Helpdesk.
mail-account-unlocked-subject = Ihr Konto ist wieder nutzbar
mail-account-unlocked-before = Ihr Konto bei { $organization } war nach zu vielen Fehlversuchen gesperrt. Nun hat sich jemand damit angemeldet. Wenn Sie das nicht waren, informieren Sie umgehend Ihren Helpdesk.
mail-passcode-reused-subject = Ein Passcode wurde zweimal verwendet
mail-passcode-reused-before = Ihr Konto war das Ziel eines Anmeldeversuchs bei { $application } mit einem Passcode von Ihnen, der bereits verwendet worden war. Der Versuch wurde abgelehnt.
mail-passcode-reused-after = Wenn Sie die Schaltfläche zweimal gedrückt haben, müssen Sie nichts tun. Wenn Sie das nicht waren, hat Ihnen möglicherweise jemand beim Eingeben zugesehen: Ändern Sie Ihr Passwort und informieren Sie Ihren Helpdesk.
mail-removed-on-device-subject = Ein Authentifikator wurde in seiner App entfernt
mail-removed-on-device-before = Ein Authentifikator Ihres Kontos bei { $organization } wurde in seiner App entfernt. Er ist gesperrt: Niemand kann sich mehr damit anmelden.
mail-removed-on-device-after = Wenn Sie das waren, müssen Sie nichts tun; wo ein Passcode verlangt wird, ermöglicht Ihnen Ihr Helpdesk, einen anderen Authentifikator hinzuzufügen. Wenn Sie das nicht waren, hatte jemand anderes Ihr Gerät in der Hand: Informieren Sie Ihren Helpdesk.
mail-address-changed-subject = Die E-Mail-Adresse Ihres Kontos wurde geändert
mail-address-changed-before = Für Ihr Konto bei { $organization } gilt jetzt eine andere E-Mail-Adresse. Codes und Mitteilungen kommen nicht mehr an diese Adresse.
mail-address-changed-after = Wenn Sie davon wissen, müssen Sie nichts tun. Wenn nicht, wenden Sie sich umgehend an Ihren Helpdesk.
mail-test-subject = Ein Test von { $organization }
mail-test-before = Sie erhalten diese E-Mail zum Test. E-Mails von { $organization } erreichen Sie.
