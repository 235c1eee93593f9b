-- Nothing to do here: InnoDB's index group_member_user holds the primary key as well, and is taken.

DO 0;
