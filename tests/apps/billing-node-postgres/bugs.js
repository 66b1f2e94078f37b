// Which mistake is planted, if any.
const planted = process.env.BUG ?? "";
module.exports = { bug: (name) => planted === name };
