from events.contact import Contact, ContactData
from events.rating import Rating, RatingData
from events.reply import Reply, ReplyData
from events.resolution import Resolution, ResolutionData

__all__ = ["Contact", "ContactData", "Rating", "RatingData", "Reply", "ReplyData", "Resolution", "ResolutionData"]
