mail-greeting = Hello { $name },
mail-footer = { $organization } · sent by Vestibule
mail-footer-help = { $organization } · sent by Vestibule · Help: { $contact }
mail-time = { $day }, { $time } UTC
mail-device = Device:
mail-serial = Serial number:
mail-when = When:
mail-address = From address:
mail-verification-code-subject = Your code for { $organization }
mail-verification-code-before = You want to log in to { $application } and add an authenticator for { $organization }. This is your code:
mail-verification-code-after = It is valid for { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}. Enter it only on the page where you asked for it. Nobody from us will ever ask you for it. If this was not you, somebody knows your password: change it and tell your help desk.
mail-enrolled-subject = An authenticator was added to your account
mail-enrolled-before = An authenticator was added to your account at { $organization }.
mail-enrolled-after = If this was you, there is nothing to do. If it was not you, stop the authenticator right away:
mail-enrolled-link = This was not me
mail-account-locked-subject = Your account is locked
mail-account-locked-before = There were too many wrong attempts to log in with your account at { $organization }, so it is locked.
mail-account-locked-until = It unlocks by itself: { $time }.
mail-account-locked-operator = Only your help desk can unlock it.
mail-account-locked-after = If this was not you, tell your help desk.
mail-account-unlocked-subject = Your account works again
mail-account-unlocked-before = Your account at { $organization } was locked after too many wrong attempts. Somebody has now logged in with it. If this was not you, tell your help desk right away.
mail-passcode-reused-subject = A passcode was used twice
mail-passcode-reused-before = Somebody tried to log in to { $application } with a passcode of yours that had been used already. It was refused.
mail-passcode-reused-after = If you pressed the button twice, there is nothing to do. If this was not you, somebody may have watched you type: change your password and tell your help desk.
mail-removed-on-device-subject = An authenticator was removed in its app
mail-removed-on-device-before = An authenticator of your account at { $organization } was removed in its app. It is suspended: nobody can log in with it any more.
mail-removed-on-device-after = If this was you, there is nothing to do; where a passcode is asked for, your help desk lets you add another authenticator. If it was not you, somebody else had your device in hand: tell your help desk.
mail-address-changed-subject = The email address of your account changed
mail-address-changed-before = The email address of your account at { $organization } is another one now. Codes and notices no longer come to this address.
mail-address-changed-after = If you know about this, there is nothing to do. If not, contact your help desk right away.
mail-test-subject = A test from { $organization }
mail-test-before = This is a test. Mail from { $organization } reaches you.
