"""The demo merchant: invented people and a year of their shopping, made through the road.

what it sells and how it rewards → merchant.py, catalogue.py, campaigns.py, words.py
who buys, how often and what     → people.py, shopping.py, oddities.py (plans: pure, seeded)
how it reaches the road          → posts.py (signed), year.py (day by day), past.py (by hand)
"""
