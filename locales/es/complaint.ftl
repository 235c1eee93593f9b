complaint-name-empty = Introduzca su nombre de usuario.
complaint-password-wrong = El nombre de usuario o la contraseña no son correctos.
complaint-wait = Espere { $seconds ->
    [one] { $seconds } segundo
   *[other] { $seconds } segundos
} antes de volver a intentarlo.
complaint-wait-minutes = Espere { $minutes ->
    [one] { $minutes } minuto
   *[other] { $minutes } minutos
} antes de volver a intentarlo.
complaint-passcode-wrong = El código de un solo uso no se ha aceptado. Espere al siguiente e introdúzcalo exactamente como se muestra.
complaint-passcode-empty = Introduzca el código de un solo uso que muestra su autenticador.
complaint-passcode-length = El código de un solo uso tiene { $digits } caracteres.
complaint-passcode-next = Ya casi está. Introduzca el siguiente código de un solo uso que muestre su autenticador.
complaint-code-wrong = El código no es correcto. { $left ->
    [one] Puede intentarlo una vez más.
   *[other] Puede intentarlo { $left } veces más.
}
complaint-code-empty = Introduzca el código del correo electrónico.
complaint-code-expired = Este código ya no es válido. Solicite uno nuevo.
complaint-code-cooldown = Podrá solicitar otro código dentro de { $seconds ->
    [one] { $seconds } segundo
   *[other] { $seconds } segundos
}.
complaint-platform = Este tipo de dispositivo no está permitido. Elija otro.
complaint-still-waiting = Su dispositivo aún no se ha conectado.
