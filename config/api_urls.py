"""Everything below /api/."""

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_replace
from django.urls import path, re_path
from django.utils.translation import gettext as _
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from loyalty.api.coupons import CancelUseView, CouponView, RedeemView
from loyalty.api.members import LookUpView, MembersView, MemberView
from loyalty.api.points import BalanceView, PointsView
from loyalty.api.signs import ConsentsView, IdentitiesView, IdentityView
from loyalty.api.transactions import TransactionsView, TransactionView
from payments.api.checkout import CheckoutView
from payments.api.orders import OrdersView, OrderView
from payments.api.products import CategoriesView, ProductsView, ProductView
from payments.api.refunds import RefundsView, ReturnsView
from payments.api.sales import SalesView


class NoSuchPage(APIView):
    """An address that does not exist, answered as a problem and not as a page."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise NotFound(_("There is nothing at this address. See /api/docs/."))

    def get(self, request: Request) -> Response:
        raise NotFound


# Its assets are our own files and its script an address of ours, so nothing inline is needed but
# the styles that Swagger sets, and its icons.
docs = csp_replace(
    {
        "script-src": [SELF],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
    }
)(SpectacularSwaggerSplitView.as_view(url_name="api-schema"))

urlpatterns = [
    path("v1/coupons/<str:code>", CouponView.as_view(), name="api-coupon"),
    path("v1/coupons/<str:code>/redeem", RedeemView.as_view(), name="api-redeem"),
    path("v1/coupon-uses/<uuid:use_id>/cancel", CancelUseView.as_view(), name="api-cancel-use"),
    path("v1/checkout-options", CheckoutView.as_view(), name="api-checkout-options"),
    path("v1/sales", SalesView.as_view(), name="api-sales"),
    path("v1/orders", OrdersView.as_view(), name="api-orders"),
    path("v1/orders/<path:order_ref>/returns", ReturnsView.as_view(), name="api-returns"),
    path("v1/orders/<path:order_ref>", OrderView.as_view(), name="api-order"),
    path("v1/transactions", TransactionsView.as_view(), name="api-transactions"),
    path(
        "v1/transactions/<uuid:transaction_id>",
        TransactionView.as_view(),
        name="api-transaction",
    ),
    path(
        "v1/transactions/<uuid:transaction_id>/refunds",
        RefundsView.as_view(),
        name="api-refunds",
    ),
    path("v1/products", ProductsView.as_view(), name="api-products"),
    path("v1/products/<path:sku>", ProductView.as_view(), name="api-product"),
    path("v1/categories", CategoriesView.as_view(), name="api-categories"),
    path("v1/members", MembersView.as_view(), name="api-members"),
    path("v1/members/look-up", LookUpView.as_view(), name="api-look-up"),
    path("v1/members/<str:code>", MemberView.as_view(), name="api-member"),
    path("v1/members/<str:code>/balance", BalanceView.as_view(), name="api-balance"),
    path("v1/members/<str:code>/points", PointsView.as_view(), name="api-points"),
    path("v1/members/<str:code>/consents", ConsentsView.as_view(), name="api-consents"),
    path("v1/members/<str:code>/identities", IdentitiesView.as_view(), name="api-identities"),
    path(
        "v1/members/<str:code>/identities/<int:identity_id>",
        IdentityView.as_view(),
        name="api-identity",
    ),
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", docs, name="api-docs"),
    re_path("", NoSuchPage.as_view()),
]
