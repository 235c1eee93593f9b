error-saml-unsolicited-title = Deze applicatie kan niet vanaf hier worden geopend
error-saml-unsolicited-text = De applicatie accepteert alleen inlogverzoeken die ze zelf heeft gedaan. Open de applicatie en log daar in.
error-saml-logout-title = Dit uitlogverzoek kan niet worden verwerkt
error-saml-logout-text = De applicatie waar u vandaan komt, heeft een uitlogverzoek gestuurd dat niet kan worden verwerkt. Mogelijk bent u nog ingelogd: open het gebruikersportaal en log daar uit.
post-logout-title = U wordt uitgelogd
post-logout-text = U wordt één voor één uit uw applicaties uitgelogd. Als er niets gebeurt, druk dan op ‘Doorgaan’.
