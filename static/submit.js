// Sends the answer to the application at once; without scripts the button does.
document.getElementById("answer").requestSubmit();
