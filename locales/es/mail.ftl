mail-greeting = Hola, { $name }:
mail-footer = { $organization } · enviado por Vestibule
mail-footer-help = { $organization } · enviado por Vestibule · Ayuda: { $contact }
mail-time = { $day }, { $time } UTC
mail-device = Dispositivo:
mail-serial = Número de serie:
mail-when = Fecha y hora:
mail-address = Dirección IP:
mail-verification-code-subject = Su código para { $organization }
mail-verification-code-before = Desea iniciar sesión en { $application } y añadir un autenticador para { $organization }. Este es su código:
mail-verification-code-after = Es válido durante { $minutes ->
    [one] { $minutes } minuto
   *[other] { $minutes } minutos
}. Introdúzcalo únicamente en la página en la que lo solicitó. Nuestro personal nunca se lo pedirá. Si no ha sido usted, alguien conoce su contraseña: cámbiela y avise a su servicio de asistencia.
mail-enrolled-subject = Se ha añadido un autenticador a su cuenta
mail-enrolled-before = Se ha añadido un autenticador a su cuenta de { $organization }.
mail-enrolled-after = Si ha sido usted, no tiene que hacer nada. Si no ha sido usted, desactive el autenticador de inmediato:
mail-enrolled-link = No he sido yo
mail-account-locked-subject = Su cuenta está bloqueada
mail-account-locked-before = Ha habido demasiados intentos incorrectos de iniciar sesión con su cuenta de { $organization }, por lo que se ha bloqueado.
mail-account-locked-until = Se desbloqueará automáticamente: { $time }.
mail-account-locked-operator = Solo su servicio de asistencia puede desbloquearla.
mail-account-locked-after = Si no ha sido usted, avise a su servicio de asistencia.
mail-account-unlocked-subject = Su cuenta vuelve a funcionar
mail-account-unlocked-before = Su cuenta de { $organization } se bloqueó tras demasiados intentos incorrectos. Ahora alguien ha iniciado sesión con ella. Si no ha sido usted, avise de inmediato a su servicio de asistencia.
mail-passcode-reused-subject = Se ha usado dos veces un código de un solo uso
mail-passcode-reused-before = Alguien ha intentado iniciar sesión en { $application } con un código de un solo uso suyo que ya se había utilizado. El intento se ha rechazado.
mail-passcode-reused-after = Si pulsó el botón dos veces, no tiene que hacer nada. Si no ha sido usted, es posible que alguien le haya visto escribir: cambie su contraseña y avise a su servicio de asistencia.
mail-removed-on-device-subject = Se ha eliminado un autenticador en su aplicación
mail-removed-on-device-before = Se ha eliminado en su aplicación un autenticador de su cuenta en { $organization }. Está suspendido: nadie puede iniciar sesión con él.
mail-removed-on-device-after = Si ha sido usted, no tiene que hacer nada; donde se pida un código de un solo uso, su servicio de asistencia le permitirá añadir otro autenticador. Si no ha sido usted, otra persona ha tenido su dispositivo en sus manos: avise a su servicio de asistencia.
mail-address-changed-subject = La dirección de correo electrónico de su cuenta ha cambiado
mail-address-changed-before = La dirección de correo electrónico de su cuenta en { $organization } es ahora otra. Los códigos y avisos ya no llegan a esta dirección.
mail-address-changed-after = Si ya lo sabe, no tiene que hacer nada. Si no, póngase en contacto de inmediato con su servicio de asistencia.
mail-test-subject = Prueba de { $organization }
mail-test-before = Esto es una prueba. El correo electrónico de { $organization } le llega correctamente.
