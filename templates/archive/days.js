// The list of all days: an address that names a day leads to its map; what the reader chose goes along.
{
  const parameters = new URLSearchParams(location.search);
  const day = parameters.get("date");
  const theme = parameters.get("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  parameters.delete("date");
  const rest = String(parameters) && `?${parameters}`;
  const links = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("td a, #live"));
  for (const link of links) link.search = rest;
  if (day !== null) {
    const found = [...links].find((link) => link.pathname.endsWith(`/${day.replaceAll("-", "/")}/`));
    const notice = document.querySelector("#notice");
    if (found && /^\d{4}-\d\d-\d\d$/.test(day)) location.replace(found.href);
    else if (notice instanceof HTMLElement) {
      notice.textContent = `There is no map of “${day.slice(0, 40)}”: these are the days there are.`;
      notice.hidden = false;
    }
  }
}
