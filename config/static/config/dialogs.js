/* htmx puts no refusal into a dialog: whoever pressed its button would see nothing at all. So a
   refusal takes the place of the page, and where the session is over the page is loaded again,
   which leads to signing in and back. */
(() => {
  "use strict";

  const isDialog = (target) => target?.closest?.("#modal-content") != null;

  document.addEventListener("htmx:responseError", ({ detail }) => {
    if (!isDialog(detail.target)) return;
    document.open();
    document.write(detail.xhr.responseText);
    document.close();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { pathInfo, target, xhr } = event.detail;
    const asked = new URL(pathInfo.requestPath, location.href);
    const wasSentElsewhere = new URL(xhr.responseURL || asked).pathname !== asked.pathname;
    if (!isDialog(target) || !wasSentElsewhere) return;
    event.preventDefault();
    location.reload();
  });
})();
