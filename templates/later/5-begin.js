// Now the page may ask.
later.attend = attend;
