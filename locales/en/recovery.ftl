recovery-title = Log in without your authenticator
recovery-link = I do not have my authenticator
recovery-have-code = I have another code
recovery-lead-own = Enter one of the recovery codes that you have kept. Each of them works once.
recovery-lead-both = Enter one of the recovery codes that you have kept, or the code from your help desk. Each of them works once.
recovery-lead-help = Enter the code from your help desk. It works once.
recovery-label = Code
recovery-replace = Log in and add a new authenticator
recovery-replace-note = Choose this if the old one is lost or broken. It stops working when the new one is connected.
recovery-back = Back
codes-title = Keep your recovery codes
codes-lead = If you lose your authenticator, one of these codes lets you in. Each of them works once. Earlier codes no longer work.
codes-note = Print them, or save them where nobody else finds them, but not on the device with your authenticator. They are shown only now.
codes-download = Save as a file
codes-print = Print
codes-kept = I have kept them
codes-file = Recovery codes of { $name } at { $organization }. Each works once. Keep them secret.
gate-window-text = You need an authenticator to log in to { $application }. The time in which you could add one by yourself is over.
gate-dormant-text = You need an authenticator to log in to { $application }. Nobody has logged in with your account for a long time, so none can be added without your help desk.
gate-network-text = You need an authenticator to log in to { $application }. One can be added only from your organization’s network, and you are somewhere else.
gate-pass-text = You need an authenticator to log in to { $application }. To add one you need a pass from your help desk.
gate-recovery-text = You need an authenticator to log in to { $application }. The one that you had was removed, so your help desk must help you with the next one.
gate-contact = Contact your help desk. It can open the way for you.
gate-ask-pass = Contact your help desk and ask for a pass. Enter it here while this page is open:
gate-pass-label = Pass from your help desk
complaint-recovery-wrong = This code does not work. It may be mistyped, used already, or too old.
complaint-recovery-empty = Enter a code.
portal-recovery-title = Recovery codes
portal-recovery-lead = If you do not have your authenticator at hand, a recovery code lets you in.
portal-recovery-left = { $left ->
    [one] You have one code left.
   *[other] You have { $left } codes left.
}
portal-recovery-new = Make new codes
portal-recovery-note = The codes before them stop working. You may be asked for a passcode first.
portal-recovery-home = Back to your applications
mail-recovery-codes-made-subject = New recovery codes
mail-recovery-codes-made-before = New recovery codes were made for your account at { $organization }. Earlier ones no longer work.
mail-recovery-codes-made-after = If this was not you, contact your help desk right away.
mail-recovery-code-used-subject = A recovery code was used
mail-recovery-code-used-before = Somebody logged in to your account at { $organization } with one of your recovery codes.
mail-recovery-code-used-left = { $left ->
    [one] One code is left.
   *[other] { $left } codes are left.
}
mail-recovery-code-used-after = If this was not you, contact your help desk right away.
mail-help-desk-code-subject = Your help desk has given out a code for you
mail-help-desk-code-before = The help desk of { $organization } has given out a code with which you can log in or add an authenticator.
mail-help-desk-code-after = If you did not ask for it, contact your help desk right away: somebody may pretend to be you.
