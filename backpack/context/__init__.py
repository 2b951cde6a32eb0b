"""The context of a conversation: what an agent sends to its model, counted and paid for knowingly."""

from backpack.context.budget import Budget, BudgetWarning
from backpack.context.cost import Cost, Price
from backpack.context.counting import Counter, EstimatingCounter, ExactCounter, FunctionCounter
from backpack.context.models import Model, model_of
from backpack.context.totals import Totals
from backpack.context.tracker import TokenTracker
from backpack.context.usage import Usage, usage_of

__all__ = [
    "Budget",
    "BudgetWarning",
    "Cost",
    "Counter",
    "EstimatingCounter",
    "ExactCounter",
    "FunctionCounter",
    "Model",
    "Price",
    "TokenTracker",
    "Totals",
    "Usage",
    "model_of",
    "usage_of",
]
