recovery-title = Anmelden ohne Authenticator
recovery-link = Ich habe meinen Authenticator nicht dabei
recovery-have-code = Ich habe einen anderen Code
recovery-lead-own = Geben Sie einen der Wiederherstellungscodes ein, die Sie aufbewahrt haben. Jeder gilt einmal.
recovery-lead-both = Geben Sie einen der Wiederherstellungscodes ein, die Sie aufbewahrt haben, oder den Code Ihres Helpdesks. Jeder gilt einmal.
recovery-lead-help = Geben Sie den Code Ihres Helpdesks ein. Er gilt einmal.
recovery-label = Code
recovery-replace = Anmelden und neuen Authenticator hinzufügen
recovery-replace-note = Wählen Sie dies, wenn der alte verloren oder defekt ist. Er gilt nicht mehr, sobald der neue verbunden ist.
recovery-back = Zurück
codes-title = Bewahren Sie Ihre Wiederherstellungscodes auf
codes-lead = Wenn Sie Ihren Authenticator verlieren, kommen Sie mit einem dieser Codes hinein. Jeder gilt einmal. Frühere Codes gelten nicht mehr.
codes-note = Drucken Sie sie aus oder speichern Sie sie dort, wo niemand sonst sie findet, aber nicht auf dem Gerät mit Ihrem Authenticator. Sie werden nur jetzt angezeigt.
codes-download = Als Datei speichern
codes-print = Drucken
codes-kept = Ich habe sie aufbewahrt
codes-file = Wiederherstellungscodes von { $name } bei { $organization }. Jeder gilt einmal. Halten Sie sie geheim.
gate-window-text = Sie benötigen einen Authenticator, um sich bei { $application } anzumelden. Die Zeit, in der Sie selbst einen hinzufügen konnten, ist vorbei.
gate-dormant-text = Sie benötigen einen Authenticator, um sich bei { $application } anzumelden. Mit Ihrem Konto hat sich lange niemand angemeldet. Deshalb kann ohne Ihren Helpdesk keiner hinzugefügt werden.
gate-network-text = Sie benötigen einen Authenticator, um sich bei { $application } anzumelden. Hinzufügen können Sie ihn nur aus dem Netz Ihrer Organisation, und Sie sind woanders.
gate-pass-text = Sie benötigen einen Authenticator, um sich bei { $application } anzumelden. Um einen hinzuzufügen, brauchen Sie einen Freigabecode Ihres Helpdesks.
gate-recovery-text = Sie benötigen einen Authenticator, um sich bei { $application } anzumelden. Ihr bisheriger wurde entfernt. Beim nächsten muss Ihnen Ihr Helpdesk helfen.
gate-contact = Wenden Sie sich an Ihren Helpdesk. Er kann Ihnen den Weg öffnen.
gate-ask-pass = Wenden Sie sich an Ihren Helpdesk und bitten Sie um einen Freigabecode. Geben Sie ihn hier ein, solange diese Seite offen ist:
gate-pass-label = Freigabecode Ihres Helpdesks
complaint-recovery-wrong = Dieser Code gilt nicht. Vielleicht ist er vertippt, schon verwendet oder zu alt.
complaint-recovery-empty = Geben Sie einen Code ein.
portal-recovery-title = Wiederherstellungscodes
portal-recovery-lead = Wenn Sie Ihren Authenticator nicht zur Hand haben, kommen Sie mit einem Wiederherstellungscode hinein.
portal-recovery-left = { $left ->
    [one] Sie haben noch einen Code.
   *[other] Sie haben noch { $left } Codes.
}
portal-recovery-new = Neue Codes erstellen
portal-recovery-note = Die bisherigen Codes gelten dann nicht mehr. Möglicherweise werden Sie zuerst nach einem Passcode gefragt.
portal-recovery-home = Zurück zu Ihren Anwendungen
mail-recovery-codes-made-subject = Neue Wiederherstellungscodes
mail-recovery-codes-made-before = Für Ihr Konto bei { $organization } wurden neue Wiederherstellungscodes erstellt. Frühere gelten nicht mehr.
mail-recovery-codes-made-after = Wenn Sie das nicht waren, wenden Sie sich sofort an Ihren Helpdesk.
mail-recovery-code-used-subject = Ein Wiederherstellungscode wurde verwendet
mail-recovery-code-used-before = Jemand hat sich mit einem Ihrer Wiederherstellungscodes bei Ihrem Konto bei { $organization } angemeldet.
mail-recovery-code-used-left = { $left ->
    [one] Ein Code ist übrig.
   *[other] { $left } Codes sind übrig.
}
mail-recovery-code-used-after = Wenn Sie das nicht waren, wenden Sie sich sofort an Ihren Helpdesk.
mail-help-desk-code-subject = Ihr Helpdesk hat einen Code für Sie ausgegeben
mail-help-desk-code-before = Der Helpdesk von { $organization } hat einen Code ausgegeben, mit dem Sie sich anmelden oder einen Authenticator hinzufügen können.
mail-help-desk-code-after = Wenn Sie nicht darum gebeten haben, wenden Sie sich sofort an Ihren Helpdesk: Vielleicht gibt sich jemand für Sie aus.
