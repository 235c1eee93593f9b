recovery-title = Inloggen zonder authenticator
recovery-link = Ik heb mijn authenticator niet bij me
recovery-have-code = Ik heb een andere code
recovery-lead-own = Voer een van de herstelcodes in die u hebt bewaard. Elke code werkt één keer.
recovery-lead-both = Voer een van de herstelcodes in die u hebt bewaard, of de code van uw helpdesk. Elke code werkt één keer.
recovery-lead-help = Voer de code van uw helpdesk in. Hij werkt één keer.
recovery-label = Code
recovery-replace = Inloggen en een nieuwe authenticator toevoegen
recovery-replace-note = Kies dit als de oude kwijt of kapot is. Die werkt niet meer zodra de nieuwe is gekoppeld.
recovery-back = Terug
codes-title = Bewaar uw herstelcodes
codes-lead = Als u uw authenticator kwijtraakt, komt u met een van deze codes binnen. Elke code werkt één keer. Eerdere codes werken niet meer.
codes-note = Druk ze af of bewaar ze waar niemand anders ze vindt, maar niet op het apparaat met uw authenticator. Ze worden alleen nu getoond.
codes-download = Opslaan als bestand
codes-print = Afdrukken
codes-kept = Ik heb ze bewaard
codes-file = Herstelcodes van { $name } bij { $organization }. Elke code werkt één keer. Houd ze geheim.
gate-window-text = U hebt een authenticator nodig om bij { $application } in te loggen. De tijd waarin u er zelf een kon toevoegen, is voorbij.
gate-dormant-text = U hebt een authenticator nodig om bij { $application } in te loggen. Er is lang niet met uw account ingelogd, daarom kan er zonder uw helpdesk geen worden toegevoegd.
gate-network-text = U hebt een authenticator nodig om bij { $application } in te loggen. Die kunt u alleen toevoegen vanaf het netwerk van uw organisatie, en u bent ergens anders.
gate-pass-text = U hebt een authenticator nodig om bij { $application } in te loggen. Om er een toe te voegen hebt u een toestemmingscode van uw helpdesk nodig.
gate-recovery-text = U hebt een authenticator nodig om bij { $application } in te loggen. Die u had is verwijderd, daarom moet uw helpdesk u bij de volgende helpen.
gate-contact = Neem contact op met uw helpdesk. Die kan de weg voor u openen.
gate-ask-pass = Neem contact op met uw helpdesk en vraag om een toestemmingscode. Voer die hier in zolang deze pagina open is:
gate-pass-label = Toestemmingscode van uw helpdesk
complaint-recovery-wrong = Deze code werkt niet. Misschien is hij verkeerd getypt, al gebruikt of te oud.
complaint-recovery-empty = Voer een code in.
portal-recovery-title = Herstelcodes
portal-recovery-lead = Als u uw authenticator niet bij de hand hebt, komt u met een herstelcode binnen.
portal-recovery-left = { $left ->
    [one] U hebt nog één code.
   *[other] U hebt nog { $left } codes.
}
portal-recovery-new = Nieuwe codes maken
portal-recovery-note = De eerdere codes werken dan niet meer. Mogelijk wordt u eerst om een toegangscode gevraagd.
portal-recovery-home = Terug naar uw applicaties
mail-recovery-codes-made-subject = Nieuwe herstelcodes
mail-recovery-codes-made-before = Voor uw account bij { $organization } zijn nieuwe herstelcodes gemaakt. Eerdere werken niet meer.
mail-recovery-codes-made-after = Was u dit niet, neem dan meteen contact op met uw helpdesk.
mail-recovery-code-used-subject = Er is een herstelcode gebruikt
mail-recovery-code-used-before = Iemand heeft met een van uw herstelcodes ingelogd op uw account bij { $organization }.
mail-recovery-code-used-left = { $left ->
    [one] Er is nog één code over.
   *[other] Er zijn nog { $left } codes over.
}
mail-recovery-code-used-after = Was u dit niet, neem dan meteen contact op met uw helpdesk.
mail-help-desk-code-subject = Uw helpdesk heeft een code voor u uitgegeven
mail-help-desk-code-before = De helpdesk van { $organization } heeft een code uitgegeven waarmee u kunt inloggen of een authenticator kunt toevoegen.
mail-help-desk-code-after = Hebt u er niet om gevraagd, neem dan meteen contact op met uw helpdesk: misschien doet iemand zich voor als u.
