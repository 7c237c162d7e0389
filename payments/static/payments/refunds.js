/* The refund dialog: the amount follows what came back, until somebody types another one. All in
   whole units, as the server reckons them: what it books never differs from what was proposed. */
(() => {
  "use strict";

  const THOUSANDTHS = 3;

  /* "1.5" to 1500n; nothing for what is no number yet, which the server will refuse. */
  const wholeOf = (text, places) => {
    const [whole, rest = ""] = text.trim().split(".");
    if (!/^\d+$/.test(whole) || !/^\d*$/.test(rest)) return 0n;
    return BigInt(whole + rest.slice(0, places).padEnd(places, "0"));
  };
  const textOf = (units, places) => {
    const digits = String(units).padStart(places + 1, "0");
    const [whole, rest] = [digits.slice(0, digits.length - places), digits.slice(digits.length - places)];
    return /[1-9]/.test(rest) ? `${whole}.${rest}` : whole;
  };
  const halfUp = (amount, part, whole) => (2n * amount * part + whole) / (2n * whole);

  const worth = (input) => {
    const [units, bought, back] = ["units", "bought", "back"].map((name) => BigInt(input.dataset[name]));
    const picked = wholeOf(input.value, THOUSANDTHS);
    return halfUp(units, back + picked, bought) - halfUp(units, back, bought);
  };

  document.addEventListener("input", ({ target }) => {
    const lines = target.closest("[data-returned]");
    const amount = target.form?.elements.amount;
    if (!lines || !amount) return;
    const [left, places] = [BigInt(lines.dataset.left), Number(lines.dataset.places)];
    const inputs = [...lines.querySelectorAll("input")];
    const sum = inputs.reduce((total, input) => total + worth(input), 0n);
    const isAny = inputs.some((input) => wholeOf(input.value, THOUSANDTHS) > 0n);
    amount.value = textOf(isAny && sum < left ? sum : left, places);
  });
})();
