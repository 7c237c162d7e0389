from django.db import models

from kit.ids import uuid7


class BareCallback(models.Model):
    """The columns and indexes of a callback, with the bytes in the same row. See `accept.py`."""

    id = models.UUIDField(primary_key=True, default=uuid7)
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    waiting_for = models.CharField(max_length=200, default="")
    error = models.TextField(default="")
    account_id = models.BigIntegerField()
    delivery_key = models.CharField(max_length=200)
    body_hash = models.BinaryField()
    received_at = models.DateTimeField()
    outcome = models.CharField(max_length=60, default="")
    body = models.BinaryField()

    class Meta:
        managed = False
        db_table = "bare_callback"

    def __str__(self) -> str:
        return self.delivery_key
