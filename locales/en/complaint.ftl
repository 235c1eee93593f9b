complaint-name-empty = Enter your user name.
complaint-password-wrong = The user name or password is not right.
complaint-wait = Wait { $seconds ->
    [one] { $seconds } second
   *[other] { $seconds } seconds
} before you try again.
complaint-wait-minutes = Wait { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
} before you try again.
complaint-passcode-wrong = That passcode was not accepted. Wait for the next one and enter it exactly as shown.
complaint-passcode-empty = Enter the passcode that your authenticator shows.
complaint-passcode-length = The passcode has { $digits } characters.
complaint-passcode-next = Almost. Enter the next passcode that your authenticator shows.
complaint-code-wrong = That code is not right. { $left ->
    [one] You can try once more.
   *[other] You can try { $left } more times.
}
complaint-code-empty = Enter the code from the email.
complaint-code-expired = This code no longer works. Send a new one.
complaint-code-cooldown = You can send another code in { $seconds ->
    [one] { $seconds } second
   *[other] { $seconds } seconds
}.
complaint-platform = This kind of device is not allowed. Choose another one.
complaint-still-waiting = Your device has not connected yet.
