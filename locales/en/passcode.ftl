challenge-title = Answer the challenge
challenge-lead = Open your authenticator, enter this challenge there, and type the response that it shows.
challenge-lead-named = Open your authenticator “{ $name }”, enter this challenge there, and type the response that it shows.
challenge-first-lead = Now log in with it: enter this challenge in the authenticator and type the response that it shows.
challenge-label = Challenge
challenge-response = Response
challenge-note = A challenge is valid for five minutes and for one answer.
challenge-renew = New challenge
challenge-or-passcode = Use a passcode instead
passcode-or-challenge = Answer a challenge instead
complaint-response-empty = Enter the response that your authenticator shows.
complaint-response-wrong = That response was not accepted. Here is a new challenge.
complaint-challenge-expired = That challenge is too old or has been replaced. Here is a new one.
complaint-challenge-limit = There are no more new challenges in this login. Answer the one you see, or start again from the application.
complaint-clock-ahead = That passcode was not accepted. The clock of your device seems to be about { $minutes ->
    [one] one minute
   *[other] { $minutes } minutes
} ahead. Have it set automatically, then enter the next passcode.
complaint-clock-behind = That passcode was not accepted. The clock of your device seems to be about { $minutes ->
    [one] one minute
   *[other] { $minutes } minutes
} behind. Have it set automatically, then enter the next passcode.
complaint-clock-ahead-hours = That passcode was not accepted. The clock of your device seems to be about { $hours ->
    [one] one hour
   *[other] { $hours } hours
} ahead. Have it set automatically, then enter the next passcode.
complaint-clock-behind-hours = That passcode was not accepted. The clock of your device seems to be about { $hours ->
    [one] one hour
   *[other] { $hours } hours
} behind. Have it set automatically, then enter the next passcode.
portal-token-title = Your authenticator
portal-token-care = Try out or synchronize
portal-token-test = Try it out
portal-token-test-note = Enter the passcode that it shows now. That uses the passcode up.
portal-token-test-do = Check
portal-token-works = It works.
portal-token-synchronize = Synchronize it
portal-token-synchronize-note = If passcodes are refused again and again, enter two that the authenticator shows one after the other.
portal-token-first = First passcode
portal-token-second = The passcode after it
portal-token-synchronize-do = Synchronize
portal-token-synchronized = It is synchronized.
portal-token-out-of-sync = That passcode is right, but the clock or counter of the authenticator is off. Synchronize it below.
portal-token-back = Back to your applications
