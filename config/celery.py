"""The Celery application: timed and heavy work. Payments do not pass through here."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("regulars")
app.conf.update(settings.CELERY)
app.autodiscover_tasks()
