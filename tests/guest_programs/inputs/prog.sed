s/page/PAGE/g
/fault$/d
y/xyz/XYZ/
