"""The product's settings with one more address: both views run in the same server."""

from config import settings as _settings

globals().update({name: value for name, value in vars(_settings).items() if name.isupper()})
INSTALLED_APPS = [*_settings.INSTALLED_APPS, "benchmarks.bare"]
ROOT_URLCONF = "benchmarks.bare.urls"
