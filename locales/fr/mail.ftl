mail-greeting = Bonjour { $name },
mail-footer = { $organization } · envoyé par Vestibule
mail-footer-help = { $organization } · envoyé par Vestibule · Aide : { $contact }
mail-time = { $day }, { $time } UTC
mail-device = Appareil :
mail-serial = Numéro de série :
mail-when = Date et heure :
mail-address = Adresse IP :
mail-verification-code-subject = Votre code pour { $organization }
mail-verification-code-before = Vous souhaitez vous connecter à { $application } et ajouter un authentificateur pour { $organization }. Voici votre code :
mail-verification-code-after = Il est valable pendant { $minutes ->
    [one] { $minutes } minute
   *[other] { $minutes } minutes
}. Ne le saisissez que sur la page où vous l’avez demandé. Aucun membre de nos équipes ne vous le demandera jamais. Si ce n’était pas vous, quelqu’un connaît votre mot de passe : changez-le et prévenez votre service d’assistance.
mail-enrolled-subject = Un authentificateur a été ajouté à votre compte
mail-enrolled-before = Un authentificateur a été ajouté à votre compte { $organization }.
mail-enrolled-after = Si c’était vous, vous n’avez rien à faire. Si ce n’était pas vous, désactivez immédiatement l’authentificateur :
mail-enrolled-link = Ce n’était pas moi
mail-account-locked-subject = Votre compte est verrouillé
mail-account-locked-before = Il y a eu trop de tentatives de connexion infructueuses à votre compte { $organization } ; il est donc verrouillé.
mail-account-locked-until = Il sera déverrouillé automatiquement : { $time }.
mail-account-locked-operator = Seul votre service d’assistance peut le déverrouiller.
mail-account-locked-after = Si ce n’était pas vous, prévenez votre service d’assistance.
mail-account-unlocked-subject = Votre compte fonctionne de nouveau
mail-account-unlocked-before = Votre compte { $organization } avait été verrouillé après un trop grand nombre de tentatives infructueuses. Quelqu’un vient de s’y connecter. Si ce n’était pas vous, prévenez immédiatement votre service d’assistance.
mail-passcode-reused-subject = Un code à usage unique a été utilisé deux fois
mail-passcode-reused-before = Quelqu’un a tenté de se connecter à { $application } avec l’un de vos codes à usage unique déjà utilisé. La tentative a été refusée.
mail-passcode-reused-after = Si vous avez appuyé deux fois sur le bouton, vous n’avez rien à faire. Si ce n’était pas vous, quelqu’un a peut-être observé votre saisie : changez votre mot de passe et prévenez votre service d’assistance.
mail-removed-on-device-subject = Un authentificateur a été supprimé dans son application
mail-removed-on-device-before = Un authentificateur de votre compte chez { $organization } a été supprimé dans son application. Il est suspendu : plus personne ne peut se connecter avec lui.
mail-removed-on-device-after = Si c’était vous, vous n’avez rien à faire ; là où un code à usage unique est demandé, votre service d’assistance vous permettra d’ajouter un autre authentificateur. Si ce n’était pas vous, quelqu’un d’autre a eu votre appareil en main : prévenez votre service d’assistance.
mail-address-changed-subject = L’adresse e-mail de votre compte a été modifiée
mail-address-changed-before = L’adresse e-mail de votre compte chez { $organization } n’est plus la même. Les codes et les avis ne sont plus envoyés à cette adresse.
mail-address-changed-after = Si vous êtes au courant, vous n’avez rien à faire. Sinon, contactez immédiatement votre service d’assistance.
mail-test-subject = Test envoyé par { $organization }
mail-test-before = Ceci est un test. Les e-mails envoyés par { $organization } vous parviennent bien.
