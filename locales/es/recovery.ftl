recovery-title = Iniciar sesión sin su autenticador
recovery-link = No tengo mi autenticador
recovery-have-code = Tengo otro código
recovery-lead-own = Introduzca uno de los códigos de recuperación que guardó. Cada uno sirve una sola vez.
recovery-lead-both = Introduzca uno de los códigos de recuperación que guardó, o el código de su servicio de asistencia. Cada uno sirve una sola vez.
recovery-lead-help = Introduzca el código de su servicio de asistencia. Sirve una sola vez.
recovery-label = Código
recovery-replace = Iniciar sesión y añadir un autenticador nuevo
recovery-replace-note = Elija esto si el anterior se ha perdido o está roto. Deja de funcionar cuando el nuevo esté conectado.
recovery-back = Volver
codes-title = Guarde sus códigos de recuperación
codes-lead = Si pierde su autenticador, podrá entrar con uno de estos códigos. Cada uno sirve una sola vez. Los códigos anteriores ya no sirven.
codes-note = Imprímalos o guárdelos donde nadie más los encuentre, pero no en el dispositivo de su autenticador. Solo se muestran ahora.
codes-download = Guardar en un archivo
codes-print = Imprimir
codes-kept = Los he guardado
codes-file = Códigos de recuperación de { $name } en { $organization }. Cada uno sirve una sola vez. Manténgalos en secreto.
gate-window-text = Necesita un autenticador para iniciar sesión en { $application }. El plazo en el que podía añadir uno por su cuenta ha terminado.
gate-dormant-text = Necesita un autenticador para iniciar sesión en { $application }. Hace mucho que nadie inicia sesión con su cuenta, así que sin su servicio de asistencia no se puede añadir ninguno.
gate-network-text = Necesita un autenticador para iniciar sesión en { $application }. Solo se puede añadir desde la red de su organización, y usted está en otro lugar.
gate-pass-text = Necesita un autenticador para iniciar sesión en { $application }. Para añadir uno necesita un código de autorización de su servicio de asistencia.
gate-recovery-text = Necesita un autenticador para iniciar sesión en { $application }. El que tenía fue retirado, así que su servicio de asistencia debe ayudarle con el siguiente.
gate-contact = Póngase en contacto con su servicio de asistencia. Puede abrirle el camino.
gate-ask-pass = Póngase en contacto con su servicio de asistencia y pida un código de autorización. Introdúzcalo aquí mientras esta página esté abierta:
gate-pass-label = Código de autorización de su servicio de asistencia
complaint-recovery-wrong = Este código no sirve. Puede estar mal escrito, usado ya o ser demasiado antiguo.
complaint-recovery-empty = Introduzca un código.
portal-recovery-title = Códigos de recuperación
portal-recovery-lead = Si no tiene a mano su autenticador, puede entrar con un código de recuperación.
portal-recovery-left = { $left ->
    [one] Le queda un código.
   *[other] Le quedan { $left } códigos.
}
portal-recovery-new = Crear códigos nuevos
portal-recovery-note = Los códigos anteriores dejan de servir. Es posible que antes se le pida un código de un solo uso.
portal-recovery-home = Volver a sus aplicaciones
mail-recovery-codes-made-subject = Nuevos códigos de recuperación
mail-recovery-codes-made-before = Se han creado nuevos códigos de recuperación para su cuenta en { $organization }. Los anteriores ya no sirven.
mail-recovery-codes-made-after = Si no fue usted, póngase en contacto de inmediato con su servicio de asistencia.
mail-recovery-code-used-subject = Se ha usado un código de recuperación
mail-recovery-code-used-before = Alguien ha iniciado sesión en su cuenta de { $organization } con uno de sus códigos de recuperación.
mail-recovery-code-used-left = { $left ->
    [one] Queda un código.
   *[other] Quedan { $left } códigos.
}
mail-recovery-code-used-after = Si no fue usted, póngase en contacto de inmediato con su servicio de asistencia.
mail-help-desk-code-subject = Su servicio de asistencia ha emitido un código para usted
mail-help-desk-code-before = El servicio de asistencia de { $organization } ha emitido un código con el que puede iniciar sesión o añadir un autenticador.
mail-help-desk-code-after = Si no lo pidió usted, póngase en contacto de inmediato con su servicio de asistencia: quizá alguien se hace pasar por usted.
