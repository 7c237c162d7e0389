"""/api/v1/ of what members hold: coupons, points, tiers; and of the members themselves."""
