recovery-title = Se connecter sans authentificateur
recovery-link = Je n’ai pas mon authentificateur
recovery-have-code = J’ai un autre code
recovery-lead-own = Saisissez l’un des codes de récupération que vous avez conservés. Chacun ne sert qu’une fois.
recovery-lead-both = Saisissez l’un des codes de récupération que vous avez conservés, ou le code de votre service d’assistance. Chacun ne sert qu’une fois.
recovery-lead-help = Saisissez le code de votre service d’assistance. Il ne sert qu’une fois.
recovery-label = Code
recovery-replace = Se connecter et ajouter un nouvel authentificateur
recovery-replace-note = Choisissez ceci si l’ancien est perdu ou cassé. Il cesse de fonctionner dès que le nouveau est associé.
recovery-back = Retour
codes-title = Conservez vos codes de récupération
codes-lead = Si vous perdez votre authentificateur, l’un de ces codes vous permet d’entrer. Chacun ne sert qu’une fois. Les codes précédents ne fonctionnent plus.
codes-note = Imprimez-les ou enregistrez-les là où personne d’autre ne les trouvera, mais pas sur l’appareil où se trouve votre authentificateur. Ils ne sont affichés que maintenant.
codes-download = Enregistrer dans un fichier
codes-print = Imprimer
codes-kept = Je les ai conservés
codes-file = Codes de récupération de { $name } chez { $organization }. Chacun ne sert qu’une fois. Gardez-les secrets.
gate-window-text = Vous avez besoin d’un authentificateur pour vous connecter à { $application }. Le délai pour en ajouter un vous-même est écoulé.
gate-dormant-text = Vous avez besoin d’un authentificateur pour vous connecter à { $application }. Personne ne s’est connecté avec votre compte depuis longtemps ; sans votre service d’assistance, aucun ne peut être ajouté.
gate-network-text = Vous avez besoin d’un authentificateur pour vous connecter à { $application }. Il ne peut être ajouté que depuis le réseau de votre organisation, et vous êtes ailleurs.
gate-pass-text = Vous avez besoin d’un authentificateur pour vous connecter à { $application }. Pour en ajouter un, il vous faut un code d’autorisation de votre service d’assistance.
gate-recovery-text = Vous avez besoin d’un authentificateur pour vous connecter à { $application }. Le vôtre a été retiré ; votre service d’assistance doit vous aider pour le suivant.
gate-contact = Contactez votre service d’assistance. Il peut vous ouvrir la voie.
gate-ask-pass = Contactez votre service d’assistance et demandez un code d’autorisation. Saisissez-le ici tant que cette page est ouverte :
gate-pass-label = Code d’autorisation de votre service d’assistance
complaint-recovery-wrong = Ce code ne fonctionne pas. Il est peut-être mal saisi, déjà utilisé ou trop ancien.
complaint-recovery-empty = Saisissez un code.
portal-recovery-title = Codes de récupération
portal-recovery-lead = Si vous n’avez pas votre authentificateur sous la main, un code de récupération vous permet d’entrer.
portal-recovery-left = { $left ->
    [one] Il vous reste { $left } code.
   *[other] Il vous reste { $left } codes.
}
portal-recovery-new = Créer de nouveaux codes
portal-recovery-note = Les codes précédents cessent alors de fonctionner. Un code à usage unique peut vous être demandé d’abord.
portal-recovery-home = Retour à vos applications
mail-recovery-codes-made-subject = Nouveaux codes de récupération
mail-recovery-codes-made-before = De nouveaux codes de récupération ont été créés pour votre compte chez { $organization }. Les précédents ne fonctionnent plus.
mail-recovery-codes-made-after = Si ce n’était pas vous, contactez immédiatement votre service d’assistance.
mail-recovery-code-used-subject = Un code de récupération a été utilisé
mail-recovery-code-used-before = Quelqu’un s’est connecté à votre compte chez { $organization } avec l’un de vos codes de récupération.
mail-recovery-code-used-left = { $left ->
    [one] Il reste { $left } code.
   *[other] Il reste { $left } codes.
}
mail-recovery-code-used-after = Si ce n’était pas vous, contactez immédiatement votre service d’assistance.
mail-help-desk-code-subject = Votre service d’assistance a délivré un code pour vous
mail-help-desk-code-before = Le service d’assistance de { $organization } a délivré un code avec lequel vous pouvez vous connecter ou ajouter un authentificateur.
mail-help-desk-code-after = Si vous ne l’avez pas demandé, contactez immédiatement votre service d’assistance : quelqu’un se fait peut-être passer pour vous.
