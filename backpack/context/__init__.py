"""The context of a conversation: what an agent sends to its model, counted and paid for knowingly."""

from backpack.context.budget import Budget, BudgetWarning
from backpack.context.config import ContextConfig, Governor
from backpack.context.conversation import Conversation
from backpack.context.cost import Cost, Price
from backpack.context.counting import Counter, EstimatingCounter, ExactCounter, FunctionCounter
from backpack.context.environment import Configured, configured
from backpack.context.extractive import summarize_extractive
from backpack.context.governor import GovernorWarning
from backpack.context.message import View, view
from backpack.context.models import Model, model_of
from backpack.context.record import Compression
from backpack.context.sessions import Session, Sessions
from backpack.context.statistics import Preview, Stats
from backpack.context.strategy import Plan, Preserve, Request, Strategy
from backpack.context.totals import Totals
from backpack.context.tracker import TokenTracker
from backpack.context.usage import Usage, usage_of

__all__ = [
    "Budget",
    "BudgetWarning",
    "Compression",
    "Configured",
    "ContextConfig",
    "Conversation",
    "Cost",
    "Counter",
    "EstimatingCounter",
    "ExactCounter",
    "FunctionCounter",
    "Governor",
    "GovernorWarning",
    "Model",
    "Plan",
    "Preserve",
    "Preview",
    "Price",
    "Request",
    "Session",
    "Sessions",
    "Stats",
    "Strategy",
    "TokenTracker",
    "Totals",
    "Usage",
    "View",
    "configured",
    "model_of",
    "summarize_extractive",
    "usage_of",
    "view",
]
