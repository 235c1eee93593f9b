challenge-title = Responda al desafío
challenge-lead = Abra su autenticador, introduzca en él este desafío y escriba la respuesta que muestra.
challenge-lead-named = Abra su autenticador «{ $name }», introduzca en él este desafío y escriba la respuesta que muestra.
challenge-first-lead = Ahora inicie sesión con él: introduzca este desafío en el autenticador y escriba la respuesta que muestra.
challenge-label = Desafío
challenge-response = Respuesta
challenge-note = Un desafío es válido durante cinco minutos y para una sola respuesta.
challenge-renew = Nuevo desafío
challenge-or-passcode = Usar un código de un solo uso
passcode-or-challenge = Responder a un desafío
complaint-response-empty = Introduzca la respuesta que muestra su autenticador.
complaint-response-wrong = Esa respuesta no se ha aceptado. Aquí tiene un nuevo desafío.
complaint-challenge-expired = Ese desafío es demasiado antiguo o se ha sustituido. Aquí tiene uno nuevo.
complaint-challenge-limit = No hay más desafíos nuevos en este inicio de sesión. Responda al que ve o empiece de nuevo desde la aplicación.
complaint-clock-ahead = Ese código no se ha aceptado. El reloj de su dispositivo parece ir { $minutes ->
    [one] aproximadamente un minuto
   *[other] unos { $minutes } minutos
} adelantado. Active la hora automática e introduzca después el código siguiente.
complaint-clock-behind = Ese código no se ha aceptado. El reloj de su dispositivo parece ir { $minutes ->
    [one] aproximadamente un minuto
   *[other] unos { $minutes } minutos
} atrasado. Active la hora automática e introduzca después el código siguiente.
complaint-clock-ahead-hours = Ese código no se ha aceptado. El reloj de su dispositivo parece ir { $hours ->
    [one] aproximadamente una hora
   *[other] unas { $hours } horas
} adelantado. Active la hora automática e introduzca después el código siguiente.
complaint-clock-behind-hours = Ese código no se ha aceptado. El reloj de su dispositivo parece ir { $hours ->
    [one] aproximadamente una hora
   *[other] unas { $hours } horas
} atrasado. Active la hora automática e introduzca después el código siguiente.
portal-token-title = Su autenticador
portal-token-care = Probar o sincronizar
portal-token-test = Probarlo
portal-token-test-note = Introduzca el código que muestra ahora. El código queda consumido.
portal-token-test-do = Comprobar
portal-token-works = Funciona.
portal-token-synchronize = Sincronizarlo
portal-token-synchronize-note = Si los códigos se rechazan una y otra vez, introduzca dos que el autenticador muestre uno después del otro.
portal-token-first = Primer código
portal-token-second = El código siguiente
portal-token-synchronize-do = Sincronizar
portal-token-synchronized = Está sincronizado.
portal-token-out-of-sync = Ese código es correcto, pero el reloj o el contador del autenticador se ha desviado. Sincronícelo abajo.
portal-token-back = Volver a sus aplicaciones
