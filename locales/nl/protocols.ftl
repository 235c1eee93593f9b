post-title = U bent ingelogd
post-text = U gaat terug naar de applicatie. Als er niets gebeurt, druk dan op ‘Doorgaan’.
error-oidc-client-title = Dit inlogverzoek kan niet worden verwerkt
error-oidc-client-text = De applicatie waar u vandaan komt, is niet bekend bij deze dienst. Ga terug naar de applicatie en probeer het opnieuw, of meld dit bij uw helpdesk.
error-oidc-redirect-title = Dit inlogverzoek kan niet worden verwerkt
error-oidc-redirect-text = De applicatie waar u vandaan komt, wil het antwoord ontvangen op een adres dat niet voor deze applicatie is geregistreerd. Er is niets naar dat adres gestuurd. Meld dit bij uw helpdesk.
error-saml-request-title = Dit inlogverzoek kan niet worden verwerkt
error-saml-request-text = De applicatie waar u vandaan komt, heeft een verzoek gestuurd dat niet kan worden verwerkt. Ga terug naar de applicatie en probeer het opnieuw. Als het opnieuw gebeurt, meld dit dan bij uw helpdesk.
