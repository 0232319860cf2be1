"""Pure numbers: measures, modes, rankings and colours."""
