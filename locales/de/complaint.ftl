complaint-name-empty = Geben Sie Ihren Benutzernamen ein.
complaint-password-wrong = Der Benutzername oder das Passwort ist nicht richtig.
complaint-wait = Warten Sie noch { $seconds ->
    [one] { $seconds } Sekunde
   *[other] { $seconds } Sekunden
}, bevor Sie es erneut versuchen.
complaint-wait-minutes = Warten Sie noch { $minutes ->
    [one] { $minutes } Minute
   *[other] { $minutes } Minuten
}, bevor Sie es erneut versuchen.
complaint-passcode-wrong = Dieser Passcode wurde nicht akzeptiert. Warten Sie auf den nächsten und geben Sie ihn genau so ein, wie er angezeigt wird.
complaint-passcode-empty = Geben Sie den Passcode ein, den Ihr Authenticator anzeigt.
complaint-passcode-length = Der Passcode hat { $digits } Zeichen.
complaint-passcode-next = Fast geschafft. Geben Sie den nächsten Passcode ein, den Ihr Authenticator anzeigt.
complaint-code-wrong = Dieser Code ist nicht richtig. { $left ->
    [one] Sie haben noch einen Versuch.
   *[other] Sie haben noch { $left } Versuche.
}
complaint-code-empty = Geben Sie den Code aus der E-Mail ein.
complaint-code-expired = Dieser Code gilt nicht mehr. Fordern Sie einen neuen an.
complaint-code-cooldown = Sie können in { $seconds ->
    [one] { $seconds } Sekunde
   *[other] { $seconds } Sekunden
} einen weiteren Code anfordern.
complaint-platform = Diese Art von Gerät ist nicht zugelassen. Wählen Sie ein anderes Gerät.
complaint-still-waiting = Ihr Gerät hat sich noch nicht verbunden.
